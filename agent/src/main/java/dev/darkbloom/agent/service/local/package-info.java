/**
 * A client of the agent's own HTTP endpoint, for the verbs that talk to a model: {@code chat} and {@code benchmark}.
 *
 * <p>Runs in the command line's process, not in the agent's; what is asked and answered here belongs to the person at the terminal and lives
 * on this process's heap. {@code LocalCodec} alone knows the JSON.
 */
package dev.darkbloom.agent.service.local;
