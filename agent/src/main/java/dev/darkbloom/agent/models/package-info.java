/**
 * Model files: what lies in the models folder, what a GGUF header says, whether llama.cpp could survive loading it, and what it would
 * take in memory.
 *
 * <p>{@link dev.darkbloom.agent.models.GgufFile} reads the syntax of one file, {@link dev.darkbloom.agent.models.GgufModel} joins the
 * shards of a split model, {@link dev.darkbloom.agent.models.ModelCheck} judges the meaning. Native code ends the process on many files
 * that are well-formed but make no sense, so a file is judged here before it is loaded. {@link
 * dev.darkbloom.agent.models.ModelStore} lists the folder, {@link dev.darkbloom.agent.models.EmbeddedDemo} unpacks the demo model, {@link
 * dev.darkbloom.agent.models.ModelInspection} is the answer of {@code models inspect}.
 *
 * <p>Uses {@code base}, and Jackson to print an inspection; nothing else. An open file belongs to the thread that opened it; records are
 * immutable and go anywhere. No weights are read, only headers.
 *
 * <p>Source of facts about the format: {@code ggml/src/gguf.cpp}, {@code src/llama-model-loader.cpp} and {@code src/llama-vocab.cpp} of
 * the pinned llama.cpp release.
 */
package dev.darkbloom.agent.models;
