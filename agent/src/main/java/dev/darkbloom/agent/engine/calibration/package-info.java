/**
 * Finds out, in a second or two at the load of a model, with which settings this machine computes it fastest.
 *
 * <p>{@link dev.darkbloom.agent.engine.calibration.Calibration} tries settings on small contexts over the loaded weights; {@link
 * dev.darkbloom.agent.engine.calibration.Tuning} is whoever knows what was found before and whether this is a moment to measure. Everything
 * runs on {@code model-loader}: a context is opened, used and closed there. May touch {@code llama} (its interfaces) and {@code base}; knows
 * no files, no clock but the one it is given, and nothing of requests.
 */
package dev.darkbloom.agent.engine.calibration;
