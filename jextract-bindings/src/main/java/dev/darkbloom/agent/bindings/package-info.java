/**
 * llama.cpp and the shim as jextract sees them: generated, committed, never edited by hand.
 *
 * <p>{@code includes.txt} lists what is bound, {@code scripts/regenerate-bindings} writes it again. Only the room {@code llama} may use
 * this package; its C names stop there.
 */
package dev.darkbloom.agent.bindings;
