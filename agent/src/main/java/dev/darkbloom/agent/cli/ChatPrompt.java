package dev.darkbloom.agent.cli;

import java.io.IOException;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.TerminalBuilder;

/** The terminal side of a conversation: an editable line, answers as they are written, Ctrl-C for the answer and Ctrl-D for the end. */
final class ChatPrompt {
    private final Conversation talk;

    ChatPrompt(Conversation talk) {
        this.talk = talk;
    }

    void run() throws IOException {
        try (var screen = TerminalBuilder.builder().system(true).name(DarkbloomAgent.NAME).build()) {
            screen.handle(org.jline.terminal.Terminal.Signal.INT, _ -> talk.cancelAnswer());
            LineReader reader = LineReaderBuilder.builder()
                    .terminal(screen)
                    // What is typed is a person's own: kept for the arrow keys, never written to a file.
                    .variable(LineReader.HISTORY_SIZE, 200)
                    .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                    .build();
            screen.writer().println("talking to " + talk.model() + "; /exit ends, /reset forgets, /system TEXT sets the system prompt");
            while (true) {
                String line;
                try {
                    line = reader.readLine("> ").strip();
                } catch (UserInterruptException _) {
                    continue;
                } catch (EndOfFileException _) {
                    return;
                }
                if (!line.isEmpty() && talk.take(line, screen.writer()) == Conversation.Turn.EXIT) {
                    return;
                }
            }
        }
    }
}
