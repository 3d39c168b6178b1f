package dev.darkbloom.agent;

import dev.darkbloom.agent.cli.PlainQuestions;

/** Where the program starts. */
public final class Main {
    private Main() {}

    public static void main(String[] args) {
        System.exit(PlainQuestions.run(args));
    }
}
