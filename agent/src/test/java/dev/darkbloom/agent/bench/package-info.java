/** Programs that {@code scripts/bench} runs: the engine without HTTP, and the writer of a model of realistic size. */
package dev.darkbloom.agent.bench;
