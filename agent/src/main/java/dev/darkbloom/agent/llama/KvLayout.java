package dev.darkbloom.agent.llama;

/** How the sequences of a context share its KV cache ({@code kv_unified} of llama.cpp). */
public enum KvLayout {
    /** Each sequence has cells of its own and attends over these alone; as many cells each as a sequence may hold tokens. */
    STREAMS,
    /** All sequences take cells from one store and attend over all of it; a beginning that several share lies there once. */
    UNIFIED
}
