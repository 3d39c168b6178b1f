package dev.darkbloom.agent.cli;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.service.local.AnswerStats;
import dev.darkbloom.agent.service.local.ChatMessage;
import dev.darkbloom.agent.service.local.LocalClient;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/** The turns of a talk with one model, and what becomes of a line that somebody types. */
final class Conversation {
    private final LocalClient client;
    private final String model;
    private final OptionalInt maxTokens;
    private final Terminal terminal;
    private final List<ChatMessage> messages = new ArrayList<>();
    private String system = "";

    Conversation(LocalClient client, String model, OptionalInt maxTokens, Terminal terminal) {
        this.client = client;
        this.model = model;
        this.maxTokens = maxTokens;
        this.terminal = terminal;
    }

    /** What a line was. */
    enum Turn { ANSWERED, COMMAND, FAILED, EXIT }

    String model() {
        return model;
    }

    /** Sets the system prompt; empty for none. */
    void system(String text) {
        system = text;
    }

    /** Ends the answer that is being written. */
    void cancelAnswer() {
        client.cancel();
    }

    /** Takes one line each from stdin; returns whether all were answered. */
    boolean runLines() throws IOException {
        boolean allAnswered = true;
        var lines = new BufferedReader(new InputStreamReader(terminal.in(), StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Turn turn = line.isBlank() ? Turn.COMMAND : take(line.strip(), terminal.out());
            if (turn == Turn.EXIT) {
                return allAnswered;
            }
            allAnswered &= turn != Turn.FAILED;
        }
        return allAnswered;
    }

    /** Answers a line, or does what it commands. The answer goes to {@code out}, what is said about it to stderr. */
    Turn take(String line, PrintWriter out) {
        if (!line.startsWith("/")) {
            return answer(line, out);
        }
        String command = line.split("\\s+", 2)[0];
        switch (command) {
            case "/exit", "/quit" -> {
                return Turn.EXIT;
            }
            case "/reset" -> {
                messages.clear();
                terminal.err().println("the conversation is forgotten");
            }
            case "/system" -> {
                system(line.substring(command.length()).strip());
                messages.clear();
                terminal.err().println(system.isEmpty() ? "no system prompt; a new conversation begins" : "a new conversation begins");
            }
            default -> terminal.err().println("no command " + command + "; there are /exit, /reset, /system TEXT");
        }
        return Turn.COMMAND;
    }

    private Turn answer(String text, PrintWriter out) {
        messages.add(new ChatMessage(ChatMessage.Role.USER, text));
        var asked = new ArrayList<ChatMessage>();
        if (!system.isEmpty()) {
            asked.add(new ChatMessage(ChatMessage.Role.SYSTEM, system));
        }
        asked.addAll(messages);
        var answer = new StringBuilder();
        try {
            AnswerStats stats = client.chat(model, asked, maxTokens, piece -> {
                answer.append(piece);
                out.print(piece);
                out.flush();
            });
            out.println();
            out.flush();
            messages.add(new ChatMessage(ChatMessage.Role.ASSISTANT, answer.toString()));
            terminal.err().println(summary(stats));
            return Turn.ANSWERED;
        } catch (AgentException e) {
            // The turn is taken back, so that the next one is not answered together with it.
            messages.removeLast();
            if (!answer.isEmpty()) {
                out.println();
                out.flush();
            }
            terminal.err().println(DarkbloomAgent.NAME + ": " + e.getMessage());
            return Turn.FAILED;
        }
    }

    private static String summary(AnswerStats stats) {
        var words = new StringBuilder("[").append(Units.count(stats.generatedTokens())).append(" tokens");
        if (stats.decodeTokensPerSecond() > 0) {
            words.append(", ").append(Units.rate(stats.decodeTokensPerSecond())).append(" tokens/s");
        }
        words.append(", first after ").append(stats.toFirstToken().toMillis()).append(" ms");
        if (stats.cachedTokens() > 0) {
            words.append(", ").append(Units.count(stats.cachedTokens())).append(" of ").append(Units.count(stats.promptTokens()))
                    .append(" prompt tokens from memory");
        }
        return words.append(switch (stats.finishReason()) {
            case "length" -> ", cut off at the limit]";
            case "cancelled" -> ", ended]";
            default -> "]";
        }).toString();
    }
}
