package dev.darkbloom.agent.service.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Optional;

/** {@link StatusReport} as JSON. Written out by hand: it is a public format, and a command line that starts fast does not introspect. */
final class StatusCodec {
    private StatusCodec() {}

    static ObjectNode toJson(StatusReport report) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("state", report.state());
        json.put("advice", report.advice());
        json.put("mode", report.mode());
        json.put("pid", report.pid());
        json.put("version", report.version());
        json.put("llama_cpp", report.llamaCpp());
        json.put("java", report.java());
        json.put("platform", report.platform());
        json.put("started_at", report.startedAt().toString());
        json.put("uptime_seconds", report.uptimeSeconds());
        report.endpoint().ifPresent(endpoint -> json.set("endpoint", endpoint(endpoint)));
        report.coordinator().ifPresent(coordinator -> json.set("coordinator", coordinator(coordinator)));
        var models = json.putArray("models");
        report.models().forEach(model -> models.add(model(model)));
        ObjectNode memory = json.putObject("memory");
        memory.put("budget_bytes", report.memory().budgetBytes());
        memory.put("reserved_bytes", report.memory().reservedBytes());
        memory.put("physical_bytes", report.memory().physicalBytes());
        memory.put("available_bytes", report.memory().availableBytes());
        json.put("home", report.home());
        json.put("config_file", report.configFile());
        json.put("log_file", report.logFile());
        return json;
    }

    private static ObjectNode endpoint(StatusReport.Endpoint endpoint) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("base_url", endpoint.baseUrl());
        json.put("bind", endpoint.bind());
        json.put("port", endpoint.port());
        json.put("requires_key", endpoint.requiresKey());
        json.put("is_reachable_from_outside", endpoint.isReachableFromOutside());
        return json;
    }

    static ObjectNode coordinator(StatusReport.Coordinator coordinator) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("url", coordinator.url());
        coordinator.proxy().ifPresent(proxy -> json.put("proxy", proxy));
        json.put("state", coordinator.state());
        json.put("advice", coordinator.advice());
        json.put("since", coordinator.since().toString());
        put(json, "connected_at", coordinator.connectedAt());
        put(json, "last_heartbeat_at", coordinator.lastHeartbeatAt());
        put(json, "last_challenge_at", coordinator.lastChallengeAt());
        coordinator.lastEnd().ifPresent(end -> json.put("last_end", end));
        put(json, "next_attempt_at", coordinator.nextAttemptAt());
        json.put("attempts", coordinator.attempts());
        json.put("eligible", coordinator.eligible());
        json.put("is_test_posture", coordinator.isTestPosture());
        json.put("backend", coordinator.backend());
        json.put("private_only", coordinator.privateOnly());
        json.put("signing_key", coordinator.signingKey());
        var offered = json.putArray("offered");
        coordinator.offered().forEach(offered::add);
        json.put("served_requests", coordinator.served());
        json.put("failed_requests", coordinator.failed());
        json.put("cancelled_requests", coordinator.cancelled());
        json.put("requests_in_flight", coordinator.inFlight());
        json.put("generated_tokens", coordinator.tokens());
        json.put("requests_not_opened", coordinator.notOpened());
        json.put("unknown_messages", coordinator.unknownMessages());
        json.put("malformed_messages", coordinator.malformedMessages());
        var recent = json.putArray("recent_requests");
        coordinator.recent().forEach(recent::add);
        var fetches = json.putArray("fetches");
        coordinator.fetches().forEach(fetch -> {
            ObjectNode one = fetches.addObject().put("build", fetch.build()).put("state", fetch.state()).put("bytes_done", fetch.bytesDone())
                    .put("bytes_total", fetch.bytesTotal());
            fetch.problem().ifPresent(problem -> one.put("problem", problem));
        });
        var gates = json.putArray("gates");
        coordinator.gates().forEach(gate -> {
            ObjectNode one = gates.addObject();
            one.put("name", gate.name());
            one.put("verdict", gate.verdict());
            one.put("is_required", gate.isRequired());
            one.put("detail", gate.detail());
            one.put("remedy", gate.remedy());
            put(one, "proven_at", gate.provenAt());
        });
        var posture = json.putArray("posture");
        coordinator.posture().forEach(finding -> posture.addObject().put("name", finding.name()).put("value", finding.value())
                .put("proof", finding.proof()).put("at", finding.at().toString()));
        return json;
    }

    private static void put(ObjectNode json, String name, Optional<Instant> at) {
        at.ifPresent(instant -> json.put(name, instant.toString()));
    }

    private static Optional<Instant> instant(JsonNode json) {
        return Optional.of(json).filter(JsonNode::isTextual).map(at -> Instant.parse(at.textValue()));
    }

    private static Optional<String> text(JsonNode json) {
        return Optional.of(json).filter(JsonNode::isTextual).map(JsonNode::textValue);
    }

    private static StatusReport.Coordinator coordinator(JsonNode json) {
        var offered = new ArrayList<String>();
        json.path("offered").forEach(id -> offered.add(id.asText()));
        var recent = new ArrayList<String>();
        json.path("recent_requests").forEach(id -> recent.add(id.asText()));
        var fetches = new ArrayList<StatusReport.Fetch>();
        json.path("fetches").forEach(fetch -> fetches.add(new StatusReport.Fetch(fetch.path("build").asText(), fetch.path("state").asText(),
                fetch.path("bytes_done").asLong(), fetch.path("bytes_total").asLong(), text(fetch.path("problem")))));
        var gates = new ArrayList<StatusReport.Gate>();
        json.path("gates").forEach(gate -> gates.add(new StatusReport.Gate(gate.path("name").asText(), gate.path("verdict").asText(),
                gate.path("is_required").asBoolean(), gate.path("detail").asText(), gate.path("remedy").asText(), instant(gate.path("proven_at")))));
        var posture = new ArrayList<StatusReport.Finding>();
        json.path("posture").forEach(finding -> posture.add(new StatusReport.Finding(finding.path("name").asText(), finding.path("value").asText(),
                finding.path("proof").asText(), instant(finding.path("at")).orElse(Instant.EPOCH))));
        return new StatusReport.Coordinator(
                json.path("url").asText(),
                text(json.path("proxy")),
                json.path("state").asText(),
                json.path("advice").asText(),
                instant(json.path("since")).orElse(Instant.EPOCH),
                instant(json.path("connected_at")),
                instant(json.path("last_heartbeat_at")),
                instant(json.path("last_challenge_at")),
                text(json.path("last_end")),
                instant(json.path("next_attempt_at")),
                json.path("attempts").asInt(),
                json.path("eligible").asText(),
                json.path("is_test_posture").asBoolean(),
                json.path("backend").asText(),
                json.path("private_only").asBoolean(),
                json.path("signing_key").asText(),
                offered,
                json.path("served_requests").asLong(),
                json.path("failed_requests").asLong(),
                json.path("cancelled_requests").asLong(),
                json.path("requests_in_flight").asInt(),
                json.path("generated_tokens").asLong(),
                json.path("requests_not_opened").asLong(),
                json.path("unknown_messages").asLong(),
                json.path("malformed_messages").asLong(),
                recent,
                fetches,
                gates,
                posture);
    }

    private static ObjectNode model(StatusReport.Model model) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("id", model.id());
        json.put("state", model.state());
        json.put("load_progress", model.loadProgress());
        model.lastError().ifPresent(error -> json.put("last_error", error));
        json.put("slots", model.slots());
        json.put("busy_slots", model.busySlots());
        json.put("waiting", model.waiting());
        json.put("queue_limit", model.queueLimit());
        json.put("context_tokens", model.contextTokens());
        json.put("used_tokens", model.usedTokens());
        json.put("prompt_tokens", model.promptTokens());
        json.put("cached_tokens", model.cachedTokens());
        json.put("generated_tokens", model.generatedTokens());
        json.put("finished_requests", model.finishedRequests());
        json.put("failed_requests", model.failedRequests());
        json.put("cancelled_requests", model.cancelledRequests());
        json.put("refused_requests", model.refusedRequests());
        json.put("prefill_tokens_per_second", model.prefillTokensPerSecond());
        json.put("decode_tokens_per_second", model.decodeTokensPerSecond());
        json.put("reserved_bytes", model.reservedBytes());
        model.compute().ifPresent(compute -> json.set("compute", toJson(compute)));
        return json;
    }

    static ObjectNode toJson(StatusReport.Compute compute) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("threads", compute.threads());
        json.put("thread_polling", compute.threadPolling());
        json.put("flash_attention", compute.flashAttention());
        json.put("ubatch_tokens", compute.ubatchTokens());
        json.put("measured_prefill_tokens_per_second", compute.measuredPrefillTokensPerSecond());
        json.put("calibration", compute.calibration());
        compute.reason().ifPresent(reason -> json.put("reason", reason));
        compute.measuredAt().ifPresent(instant -> json.put("measured_at", instant.toString()));
        json.put("speedup", compute.speedup());
        json.put("spread", compute.spread());
        return json;
    }

    /** Reads what another version may have written: unknown members are passed over, missing ones are empty or 0. */
    static StatusReport fromJson(JsonNode json) {
        var models = new ArrayList<StatusReport.Model>();
        json.path("models").forEach(model -> models.add(model(model)));
        JsonNode memory = json.path("memory");
        return new StatusReport(
                json.path("state").asText(),
                json.path("advice").asText(),
                json.path("mode").asText(),
                json.path("pid").asLong(),
                json.path("version").asText(),
                json.path("llama_cpp").asText(),
                json.path("java").asText(),
                json.path("platform").asText(),
                Instant.parse(json.path("started_at").asText(Instant.EPOCH.toString())),
                json.path("uptime_seconds").asLong(),
                Optional.of(json.path("endpoint")).filter(JsonNode::isObject).map(StatusCodec::endpoint),
                Optional.of(json.path("coordinator")).filter(JsonNode::isObject).map(StatusCodec::coordinator),
                models,
                new StatusReport.Memory(
                        memory.path("budget_bytes").asLong(),
                        memory.path("reserved_bytes").asLong(),
                        memory.path("physical_bytes").asLong(),
                        memory.path("available_bytes").asLong()),
                json.path("home").asText(),
                json.path("config_file").asText(),
                json.path("log_file").asText());
    }

    private static StatusReport.Endpoint endpoint(JsonNode json) {
        return new StatusReport.Endpoint(
                json.path("base_url").asText(),
                json.path("bind").asText(),
                json.path("port").asInt(),
                json.path("requires_key").asBoolean(),
                json.path("is_reachable_from_outside").asBoolean());
    }

    private static StatusReport.Model model(JsonNode json) {
        return new StatusReport.Model(
                json.path("id").asText(),
                json.path("state").asText(),
                json.path("load_progress").asDouble(),
                Optional.of(json.path("last_error")).filter(JsonNode::isTextual).map(JsonNode::textValue),
                json.path("slots").asInt(),
                json.path("busy_slots").asInt(),
                json.path("waiting").asInt(),
                json.path("queue_limit").asInt(),
                json.path("context_tokens").asInt(),
                json.path("used_tokens").asLong(),
                json.path("prompt_tokens").asLong(),
                json.path("cached_tokens").asLong(),
                json.path("generated_tokens").asLong(),
                json.path("finished_requests").asLong(),
                json.path("failed_requests").asLong(),
                json.path("cancelled_requests").asLong(),
                json.path("refused_requests").asLong(),
                json.path("prefill_tokens_per_second").asDouble(),
                json.path("decode_tokens_per_second").asDouble(),
                json.path("reserved_bytes").asLong(),
                Optional.of(json.path("compute")).filter(JsonNode::isObject).map(StatusCodec::compute));
    }

    private static StatusReport.Compute compute(JsonNode json) {
        return new StatusReport.Compute(
                json.path("threads").asInt(),
                json.path("thread_polling").asInt(),
                json.path("flash_attention").asText(),
                json.path("ubatch_tokens").asInt(),
                json.path("measured_prefill_tokens_per_second").asDouble(),
                json.path("calibration").asText(),
                Optional.of(json.path("reason")).filter(JsonNode::isTextual).map(JsonNode::textValue),
                Optional.of(json.path("measured_at")).filter(JsonNode::isTextual).map(at -> Instant.parse(at.textValue())),
                json.path("speedup").asDouble(),
                json.path("spread").asDouble());
    }
}
