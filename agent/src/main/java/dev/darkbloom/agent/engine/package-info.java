/**
 * Slots, step planning and scheduling over loaded models. Tokens and sampling settings in, tokens out through a {@link
 * dev.darkbloom.agent.content.TokenRing}; no text, no HTTP, no JSON, no files.
 *
 * <p>{@link dev.darkbloom.agent.engine.Engine} is the front door and may be called from any thread. Which models there are and where each
 * stands is in one table under one lock; loading and unloading run on {@code model-loader}, within the bytes of the {@link
 * dev.darkbloom.agent.engine.MemoryLedger}. Each loaded model has one platform thread, {@code engine-<model>}, that owns its context, its
 * slots, and a second one, {@code engine-<model>-bell}, that wakes readers who wait, since waking a virtual thread allocates. Readers with a
 * thread of their own to carry answers on ask to be told instead ({@link dev.darkbloom.agent.engine.Generation#onNews}).
 *
 * <p>The way of a request: a lease checks it, has its sampler built and takes it on, or refuses it; the mailbox hands it to the loop; the
 * scheduler puts it into a slot, where what any slot holds of its prompt is taken over, and what another one is about to compute is waited
 * for; in each step the planner gives every decoding slot a row of the batch and prompts what the step has time for; rows that asked for
 * logits are sampled into their rings; whoever has news is told once; at the end the request is counted, its place is given back, and its
 * holder is told. After that nothing of the request is touched.
 *
 * <p>A request's memory, its ring included, is the caller's and borrowed until the generation is finished; a grammar is taken. How a model
 * computes and shares its KV cache is found in {@code docs/engine.md} and {@code docs/calibration.md}. May touch
 * {@code llama} (its interfaces), {@code content} and {@code base}.
 */
package dev.darkbloom.agent.engine;
