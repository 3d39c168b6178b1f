package dev.darkbloom.agent.testing;

import java.util.Random;

/**
 * What a scripted model says, in the words of {@link FakeChatParser}: a thought, a text and a call, with characters of every length and what
 * JSON escapes.
 *
 * @param arguments of the call to {@code add}
 */
public record RandomAnswer(String reasoning, String content, String arguments) {
    private static final String[] PIECES = {"a", "be", "\n", " ", "é", "漢字", "🚀", "\\", "\"", "{}", "ST", "S", "\u0001", "ẞ"};

    /** Returns an answer whose parts have up to so many pieces. */
    public static RandomAnswer of(Random random, int pieces) {
        return new RandomAnswer(text(random, random.nextInt(pieces)), text(random, random.nextInt(2 * pieces)),
                "{\"a\":" + text(random, random.nextInt(pieces)) + "}");
    }

    /** Returns a text that neither begins nor ends with a blank: those are the template's affair. */
    public static String text(Random random, int pieces) {
        var text = new StringBuilder("x");
        for (int i = 0; i < pieces; i++) {
            text.append(PIECES[random.nextInt(PIECES.length)]);
        }
        return text.append('y').toString();
    }

    /** Returns what the model writes. */
    public String text() {
        return "<think>" + reasoning + "</think>" + content + "<call add>" + arguments + "</call>";
    }
}
