package dev.darkbloom.agent.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import picocli.CommandLine;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.UsageMessageSpec;

/** The verbs, in the groups in which {@code --help} lists them. */
final class CommandGroups {
    private record Verb(String name, Function<DarkbloomAgent, Object> command) {}

    private record Group(String title, List<Verb> verbs) {}

    private static final List<Group> GROUPS = List.of(
            new Group("Run it:", List.of(
                    new Verb("start", StartCommand::new),
                    new Verb("stop", StopCommand::new),
                    new Verb("status", StatusCommand::new),
                    new Verb("doctor", DoctorCommand::new))),
            new Group("Use it:", List.of(
                    new Verb("chat", ChatCommand::new),
                    new Verb("local", LocalCommand::new),
                    new Verb("benchmark", BenchmarkCommand::new))),
            new Group("Set it up:", List.of(
                    new Verb("login", LoginCommand::new),
                    new Verb("logout", LogoutCommand::new),
                    new Verb("self-route", SelfRouteCommand::new),
                    new Verb("models", ModelsCommand::new),
                    new Verb("config", ConfigCommand::new))));

    private CommandGroups() {}

    /**
     * Adds to {@code line} the verbs that {@code args} may mean: those that stand in it, or all where none does (help, a slip of the
     * fingers). Each verb costs some 10 ms of reflection, which {@code status} need not pay for its neighbours.
     */
    static void register(CommandLine line, DarkbloomAgent root, String... args) {
        var words = Arrays.asList(args);
        var verbs = GROUPS.stream().flatMap(group -> group.verbs().stream()).toList();
        var named = verbs.stream().filter(verb -> words.contains(verb.name())).toList();
        for (Verb verb : named.isEmpty() ? verbs : named) {
            line.addSubcommand(verb.name(), verb.command().apply(root));
        }
        var sections = new ArrayList<>(line.getHelpSectionKeys());
        sections.remove(UsageMessageSpec.SECTION_KEY_COMMAND_LIST_HEADING);
        line.setHelpSectionKeys(sections);
        line.getHelpSectionMap().put(UsageMessageSpec.SECTION_KEY_COMMAND_LIST, CommandGroups::render);
    }

    private static String render(Help help) {
        var text = new StringBuilder();
        for (Group group : GROUPS) {
            text.append(String.format("%n%s%n", group.title()));
            for (Verb verb : group.verbs()) {
                Help known = help.subcommands().get(verb.name());
                if (known != null) {
                    text.append(String.format("  %-11s %s%n", verb.name(), known.commandSpec().usageMessage().description()[0]));
                }
            }
        }
        return text.toString();
    }
}
