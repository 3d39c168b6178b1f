/**
 * Calibration from the agent's side: when it may measure, what was found before, and what {@code status} says about it. The measuring itself is
 * {@code engine.calibration}'s.
 *
 * <p>{@link dev.darkbloom.agent.service.calibration.Calibrations} is called on {@code model-loader} and asked for reports on any thread; the
 * file belongs to the one agent that holds the home's lock.
 */
package dev.darkbloom.agent.service.calibration;
