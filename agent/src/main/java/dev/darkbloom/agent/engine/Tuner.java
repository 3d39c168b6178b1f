package dev.darkbloom.agent.engine;

import dev.darkbloom.agent.base.Confined;
import dev.darkbloom.agent.engine.calibration.Calibration;
import dev.darkbloom.agent.engine.calibration.Outcome;
import dev.darkbloom.agent.engine.calibration.Tuning;
import dev.darkbloom.agent.llama.ComputeSettings;
import dev.darkbloom.agent.llama.ModelOpener;
import dev.darkbloom.agent.llama.ModelOpener.MemoryNeed;
import dev.darkbloom.agent.llama.ModelRuntime;
import dev.darkbloom.agent.llama.ModelSpec;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives a model that is being loaded its settings: known ones before its room is planned, measured ones once its weights are there. The
 * reservation is always that of the settings really used, and a trial's context never needs more than is reserved while it is open.
 */
@Confined("model-loader")
final class Tuner {
    private static final Logger log = LoggerFactory.getLogger(Tuner.class);

    private final ModelOpener opener;
    private final NanoClock clock;
    private final Tuning tuning;

    Tuner(ModelOpener opener, NanoClock clock, Tuning tuning) {
        this.opener = opener;
        this.clock = clock;
        this.tuning = tuning;
    }

    Tuning.Plan plan(ModelSpec asked) {
        return tuning.plan(asked);
    }

    /**
     * Returns the room for a model with the settings of {@code plan}; with its own, if those of the plan leave it less.
     *
     * @param fit finds the room for a form of the model
     * @param bytes what there is
     */
    RoomPlan room(Tuning.Plan plan, ModelSpec asked, Function<ModelSpec, RoomPlan> fit, long bytes) {
        if (!(plan instanceof Tuning.Plan.Use(ComputeSettings known)) || known.equals(asked.compute())) {
            return fit.apply(asked);
        }
        RoomPlan room = fit.apply(asked.withCompute(known));
        boolean isWhole = room.spec().kvTokens() == asked.kvTokens() && room.need().totalBytes() <= bytes;
        if (isWhole) {
            return room;
        }
        RoomPlan own = fit.apply(asked);
        boolean isMore = own.spec().kvTokens() > room.spec().kvTokens() || own.need().totalBytes() <= bytes && room.need().totalBytes() > bytes;
        return isMore ? own : room;
    }

    /**
     * Returns with what the model is to be served: {@code room}'s specification, with measured settings if the plan was to measure.
     *
     * @param room what {@code reservation} was made for
     * @param reservation changed to what the settings need
     * @param stop asked between visits; true cuts a measurement off
     */
    ModelSpec tune(Tuning.Plan plan, ModelSpec asked, RoomPlan room, ModelRuntime runtime, MemoryLedger.Reservation reservation,
            BooleanSupplier stop) {
        ModelSpec spec = room.spec();
        if (plan instanceof Tuning.Plan.Measure measure) {
            spec = measured(measure, asked, room, runtime, reservation, stop);
        }
        tuning.uses(asked, spec.compute());
        return spec;
    }

    /** Returns whether {@code plan} may have a model compute otherwise than it does with {@code spec}. */
    static boolean mayChange(Tuning.Plan plan, ModelSpec spec) {
        return switch (plan) {
            case Tuning.Plan.Measure _ -> true;
            case Tuning.Plan.Use(ComputeSettings known) -> !known.equals(spec.compute());
        };
    }

    /**
     * As {@link #tune}, for a model whose weights are there and whose context has been closed: settings that are known now are used, too, if
     * there is memory for them.
     */
    ModelSpec retune(Tuning.Plan plan, ModelSpec asked, RoomPlan room, ModelRuntime runtime, MemoryLedger.Reservation reservation,
            BooleanSupplier stop) {
        RoomPlan known = plan instanceof Tuning.Plan.Use(ComputeSettings settings)
                ? new RoomPlan(withSettings(settings, room, reservation), reservation.need())
                : room;
        return tune(plan, asked, known, runtime, reservation, stop);
    }

    private ModelSpec measured(Tuning.Plan.Measure plan, ModelSpec asked, RoomPlan room, ModelRuntime runtime,
            MemoryLedger.Reservation reservation, BooleanSupplier stop) {
        long begun = clock.nanoTime();
        Outcome outcome;
        try {
            outcome = Calibration.run(runtime, room.spec(), plan.search(), settings -> reserve(room.spec(), settings, reservation), clock, stop);
        } catch (RuntimeException e) {
            log.warn("calibration failed id={}", asked.id(), e);
            outcome = new Outcome.Kept(Outcome.Reason.FAILED, "measuring failed: " + e.getClass().getSimpleName());
        }
        log.info("calibration ended id={} ms={} outcome={}", asked.id(), (clock.nanoTime() - begun) / 1_000_000, outcome);
        tuning.ended(asked, outcome);
        return withSettings(outcome instanceof Outcome.Chosen chosen ? chosen.settings() : room.spec().compute(), room, reservation);
    }

    private ModelSpec withSettings(ComputeSettings settings, RoomPlan room, MemoryLedger.Reservation reservation) {
        ModelSpec spec = room.spec().withCompute(settings);
        MemoryNeed need = spec.compute().equals(room.spec().compute()) ? room.need() : opener.need(spec);
        if (reservation.resize(need)) {
            return spec;
        }
        log.warn("calibrated settings do not fit id={} bytes={}", spec.id(), need.totalBytes());
        reservation.resize(room.need());
        return room.spec();
    }

    /** Makes the reservation large enough for other settings; false when there is not so much. It is made to measure afterwards. */
    private boolean reserve(ModelSpec spec, ComputeSettings settings, MemoryLedger.Reservation reservation) {
        MemoryNeed need = opener.need(spec.withCompute(settings));
        return need.totalBytes() <= reservation.need().totalBytes() || reservation.resize(need);
    }
}
