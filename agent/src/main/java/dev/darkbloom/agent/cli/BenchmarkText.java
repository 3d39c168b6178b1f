package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.service.local.Benchmark;
import dev.darkbloom.agent.service.local.BenchmarkReport;
import java.time.ZoneId;

/** A benchmark's result as people read it. */
final class BenchmarkText {
    private BenchmarkText() {}

    static String of(BenchmarkReport report) {
        var table = new TextTable("STREAMS", "PROMPT", "READS TOKENS/S", "WRITES TOKENS/S", "FIRST TOKEN MS");
        for (Benchmark.Row row : report.rows()) {
            table.row(
                    Integer.toString(row.streams()),
                    Units.count(row.promptTokens()),
                    spread(row.prefillTokensPerSecond()),
                    spread(row.decodeTokensPerSecond()),
                    spread(row.timeToFirstMillis()));
        }
        return table + "median (lowest to highest) of " + report.plan().runs() + " runs; answers of " + report.plan().answerTokens() + " tokens; "
                + report.plan().model() + " on " + report.chip() + ", " + report.platform() + ", agent " + report.version() + ", llama.cpp "
                + report.llamaCpp() + ", " + report.slots() + " slots of " + Units.count(report.contextTokens()) + " tokens"
                + report.compute().map(compute -> "\n" + report.plan().model() + " " + ComputeText.of(compute, ZoneId.systemDefault())).orElse("");
    }

    private static String spread(Benchmark.Spread spread) {
        return Units.rate(spread.median()) + " (" + Units.rate(spread.min()) + " to " + Units.rate(spread.max()) + ")";
    }
}
