package dev.darkbloom.agent.service.calibration;

import dev.darkbloom.agent.engine.ModelPool;
import dev.darkbloom.agent.engine.ModelState;
import dev.darkbloom.agent.engine.ModelStatus;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes up for calibrations that had to wait: has a model planned anew now and then while nobody has used any for a while. Whether this is a
 * moment to measure by then, {@link Calibrations} says; it costs an unused agent next to nothing to ask.
 */
public final class LateCalibration implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(LateCalibration.class);
    /** How often to look, and how long nobody has to have used a model. */
    private static final Duration INTERVAL = Duration.ofMinutes(1);

    private final Calibrations calibrations;
    private final ModelPool models;
    private final Consumer<String> retune;
    private final CountDownLatch closing = new CountDownLatch(1);
    private long stepsSeen = -1; // at the look before; the looking thread's

    /**
     * @param retune has the model of that name planned anew, and does not wait for it
     */
    LateCalibration(Calibrations calibrations, ModelPool models, Consumer<String> retune) {
        this.calibrations = calibrations;
        this.models = models;
        this.retune = retune;
    }

    /** Starts to look, on the thread {@code task-calibration}, until this is closed. Borrows what it is given; {@code retune} as the constructor. */
    public static LateCalibration open(Calibrations calibrations, ModelPool models, Consumer<String> retune) {
        return open(calibrations, models, retune, INTERVAL);
    }

    static LateCalibration open(Calibrations calibrations, ModelPool models, Consumer<String> retune, Duration interval) {
        var late = new LateCalibration(calibrations, models, retune);
        Thread.ofVirtual().name("task-calibration").start(() -> late.lookEvery(interval));
        return late;
    }

    private void lookEvery(Duration interval) {
        try {
            while (!closing.await(interval.toNanos(), TimeUnit.NANOSECONDS)) {
                try {
                    look();
                } catch (RuntimeException e) {
                    log.warn("calibration not made up for", e);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // nobody does that; whoever did wants an end
        }
    }

    /** Has models planned anew that wait, if no model has made a step since the look before. */
    void look() {
        List<ModelStatus> all = models.models();
        long steps = all.stream().mapToLong(ModelStatus::steps).sum();
        boolean isQuiet = steps == stepsSeen && all.stream().allMatch(model -> model.busySlots() == 0 && model.waiting() == 0);
        stepsSeen = steps;
        if (isQuiet) {
            all.stream().filter(model -> model.state() == ModelState.READY && calibrations.isWaiting(model.id()))
                    .forEach(model -> retune.accept(model.id()));
        }
    }

    /** Ends the looking; a calibration that runs is the engine's to end. */
    @Override
    public void close() {
        closing.countDown();
    }
}
