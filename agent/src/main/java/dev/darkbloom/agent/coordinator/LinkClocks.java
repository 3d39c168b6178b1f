package dev.darkbloom.agent.coordinator;

import dev.darkbloom.agent.engine.NanoClock;
import dev.darkbloom.agent.hardware.ContinuousClock;
import java.time.InstantSource;

/**
 * The clocks of a link.
 *
 * @param nanos when something of ours is due; may stand still while the machine sleeps
 * @param elapsed what the coordinator's clock has moved by meanwhile
 * @param wall what is told to people
 */
record LinkClocks(NanoClock nanos, ContinuousClock elapsed, InstantSource wall) {
    static LinkClocks ofThisSystem() {
        return new LinkClocks(NanoClock.SYSTEM, ContinuousClock.ofThisSystem(), InstantSource.system());
    }
}
