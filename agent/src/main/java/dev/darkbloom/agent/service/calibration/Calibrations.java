package dev.darkbloom.agent.service.calibration;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.config.AgentConfig;
import dev.darkbloom.agent.engine.calibration.Choice;
import dev.darkbloom.agent.engine.calibration.Outcome;
import dev.darkbloom.agent.engine.calibration.Search;
import dev.darkbloom.agent.engine.calibration.Tuning;
import dev.darkbloom.agent.hardware.Machine;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ModelSpec;
import dev.darkbloom.agent.service.control.StatusReport;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides for each load: settings that were found before, a measurement, or safe settings and the reason. Also knows the reason afterwards.
 *
 * <p>{@link Tuning}'s methods are called on {@code model-loader}; the others on any thread.
 */
public final class Calibrations implements Tuning {
    private static final Logger log = LoggerFactory.getLogger(Calibrations.class);
    /** What a first load may take longer; a person waits for it. */
    private static final Duration BUDGET = Duration.ofSeconds(2);
    private static final int MOST_SEQUENCES_MEASURED = 4;

    /** Where things stand with a model's settings. */
    private enum State { MEASURED, WAITING, KEPT, OFF }

    /**
     * Why a model computes as it does.
     *
     * @param found what is in use, if it was measured
     * @param reason why nothing is, otherwise
     */
    private record Note(State state, Optional<CalibrationRecord> found, Optional<String> reason) {
        static Note because(State state, String reason) {
            return new Note(state, Optional.empty(), Optional.of(reason));
        }

        static Note measured(CalibrationRecord found) {
            return new Note(State.MEASURED, Optional.of(found), Optional.empty());
        }
    }

    private final AgentConfig.Backend backend;
    private final Machine machine;
    private final String library;
    private final CalibrationStore store;
    private final MeasuringConditions conditions;
    private final InstantSource clock;

    private final Map<String, CalibrationKey> keys = new HashMap<>(); // model-loader's
    private final Map<String, Note> notes = new ConcurrentHashMap<>();
    private final Map<String, ComputeSettings> inUse = new ConcurrentHashMap<>();
    private final Set<String> demanded = ConcurrentHashMap.newKeySet();

    /**
     * @param backend what the owner has set is not measured
     * @param library as {@code NativeLibrary.build} calls it
     * @param file where results are kept
     */
    public Calibrations(AgentConfig.Backend backend, Machine machine, String library, Path file, MeasuringConditions conditions,
            InstantSource clock) {
        this.backend = backend;
        this.machine = machine;
        this.library = library;
        this.store = new CalibrationStore(file);
        this.conditions = conditions;
        this.clock = clock;
    }

    /** Returns what the owner has left open. */
    private Set<Choice> open() {
        var open = EnumSet.noneOf(Choice.class);
        if (backend.threads() == 0) {
            open.add(Choice.THREADS);
        }
        if (backend.flashAttention() == AgentConfig.FlashAttention.AUTO) {
            open.add(Choice.FLASH_ATTENTION);
        }
        if (backend.threadPolling() < 0) {
            open.add(Choice.POLL);
        }
        if (backend.ubatchTokens() == 0) {
            open.add(Choice.UBATCH);
        }
        return open;
    }

    /**
     * Has a model measured at its next load, whatever was found before, on a battery and on a busy machine, too.
     *
     * @throws AgentException {@code INVALID_REQUEST} when its settings are not measured at all
     */
    public void demand(ModelSpec asked) {
        Optional<Note> never = neverMeasured(asked);
        if (never.isPresent()) {
            throw new AgentException(ErrorCode.INVALID_REQUEST, "model " + asked.id() + " is not calibrated: " + never.get().reason().orElseThrow());
        }
        demanded.add(asked.id());
    }

    private Optional<Note> neverMeasured(ModelSpec asked) {
        if (backend.calibration() == AgentConfig.Calibration.OFF) {
            return Optional.of(Note.because(State.OFF, "backend.calibration is off"));
        }
        if (asked.embedding()) {
            return Optional.of(Note.because(State.OFF, "embedding models are not measured"));
        }
        return open().isEmpty() ? Optional.of(Note.because(State.OFF, "every setting is made in agent.toml or by a flag")) : Optional.empty();
    }

    @Override
    public Plan plan(ModelSpec asked) {
        boolean isDemanded = demanded.remove(asked.id());
        Optional<Note> never = neverMeasured(asked);
        if (never.isPresent()) {
            return stay(asked, never.get());
        }
        try {
            CalibrationKey key = key(asked);
            keys.put(asked.id(), key);
            Optional<CalibrationRecord> found = isDemanded ? Optional.empty() : store.find(key);
            if (found.isPresent()) {
                notes.put(asked.id(), Note.measured(found.get()));
                return new Plan.Use(found.get().appliedTo(asked.compute()));
            }
            Optional<String> obstacle = isDemanded ? Optional.empty() : conditions.obstacle();
            if (obstacle.isPresent()) {
                if (!isWaiting(asked.id())) {
                    log.info("calibration waits id={} for={}", asked.id(), obstacle.get());
                }
                return stay(asked, Note.because(State.WAITING, obstacle.get()));
            }
        } catch (IOException e) {
            log.warn("model file not read for calibration id={} reason={}", asked.id(), e.getMessage());
            return stay(asked, Note.because(State.KEPT, "the model's file could not be read"));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return stay(asked, Note.because(State.KEPT, "it was cut off"));
        }
        return new Plan.Measure(new Search(open(), machine.performanceCores(), BUDGET));
    }

    private Plan stay(ModelSpec asked, Note note) {
        notes.put(asked.id(), note);
        return new Plan.Use(asked.compute());
    }

    private CalibrationKey key(ModelSpec asked) throws IOException {
        Set<Choice> open = open();
        ComputeSettings set = asked.compute();
        var form = new StringBuilder()
                .append(Math.min(MOST_SEQUENCES_MEASURED, asked.slots())).append(" sequences, ").append(asked.kvLayout())
                .append(", GPU layers ").append(asked.gpuLayers());
        form.append(open.contains(Choice.THREADS) ? "" : ", threads " + set.threads());
        form.append(open.contains(Choice.FLASH_ATTENTION) ? "" : ", flash attention " + set.flashAttention());
        form.append(open.contains(Choice.POLL) ? "" : ", polling " + set.poll());
        form.append(open.contains(Choice.UBATCH) ? "" : ", ubatch " + set.ubatchTokens());
        String cores = machine.chip() + ", " + machine.physicalCores() + " cores, " + machine.performanceCores() + " of them fast";
        return new CalibrationKey(ModelFingerprint.of(asked.files()), library, cores, form.toString());
    }

    @Override
    public void ended(ModelSpec asked, Outcome outcome) {
        switch (outcome) {
            case Outcome.Chosen chosen -> {
                var found = CalibrationRecord.of(keys.get(asked.id()), clock.instant().truncatedTo(ChronoUnit.SECONDS), chosen);
                store.put(found);
                notes.put(asked.id(), Note.measured(found));
            }
            case Outcome.Kept(Outcome.Reason reason, String explanation) -> notes.put(asked.id(), reason == Outcome.Reason.CUT_OFF
                    ? Note.because(State.WAITING, "a moment without requests (one came while it was measured)")
                    : Note.because(State.KEPT, explanation));
        }
    }

    /** Returns whether a model computes with safe settings only because there was no moment yet to measure it. */
    boolean isWaiting(String modelId) {
        Note note = notes.get(modelId);
        return note != null && note.state() == State.WAITING;
    }

    @Override
    public void uses(ModelSpec asked, ComputeSettings settings) {
        Note note = notes.get(asked.id());
        if (note != null && note.found().isPresent() && !note.found().get().appliedTo(settings).equals(settings)) {
            notes.put(asked.id(), Note.because(State.KEPT, "what was measured leaves too little memory"));
        }
        inUse.put(asked.id(), settings);
    }

    /** Returns how a model computes and why; empty before its first load. */
    public Optional<StatusReport.Compute> report(String modelId) {
        ComputeSettings settings = inUse.get(modelId);
        Note note = notes.get(modelId);
        if (settings == null || note == null) {
            return Optional.empty();
        }
        return Optional.of(new StatusReport.Compute(
                settings.threads(),
                settings.poll(),
                word(settings.flashAttention()),
                settings.ubatchTokens(),
                settings.prefillNanosPerToken() == 0 ? 0 : 1e9 / settings.prefillNanosPerToken(),
                word(note.state()),
                note.reason(),
                note.found().map(CalibrationRecord::measuredAt),
                note.found().map(CalibrationRecord::speedup).orElse(0.0),
                note.found().map(CalibrationRecord::spread).orElse(0.0)));
    }

    private static String word(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }
}
