/**
 * llama.cpp seen from Java: the only room that imports the bindings and the only one with native handles.
 *
 * <p>Rooms above see the interfaces of this package ({@link dev.darkbloom.agent.llama.ModelRuntime}, {@link
 * dev.darkbloom.agent.llama.TokenDecoder}, {@link dev.darkbloom.agent.llama.Tokenizer}, {@link dev.darkbloom.agent.llama.ChatTemplate}), so
 * their tests run without a native library. Implementations own what they hold and say so in their arenas: shared for a model, confined
 * for a context, its batch and its samplers. May touch {@code base}, {@code content} and the bindings, nothing else.
 * Rendering, tokenizing and compiling run on the caller's thread, or on one of a few of their own where the input is large ({@link
 * dev.darkbloom.agent.llama.LongCalls}).
 *
 * <p>Source of native facts: {@code llama.h} of the pinned release, and {@code native/shim/darkbloom_shim.h}.
 */
package dev.darkbloom.agent.llama;
