/**
 * Slots, step planning and scheduling over loaded models. Tokens and sampling settings in, tokens out through a {@link
 * dev.darkbloom.agent.content.TokenRing}; no text, no HTTP, no JSON, no files.
 *
 * <p>{@link dev.darkbloom.agent.engine.Engine} is the front door and may be called from any thread. Each loaded model has one platform
 * thread, {@code engine-<model>}, that owns its context, its slots and its samplers; loading and unloading run on {@code model-loader}.
 * May touch {@code llama} (its interfaces), {@code content} and {@code base}.
 */
package dev.darkbloom.agent.engine;
