/**
 * Whether this machine can get work now, and if not which gate stops it: each gate by itself, with what proved it and when.
 *
 * <p>Pure functions of what is known; called by {@code status} and {@code doctor}, on any thread.
 */
package dev.darkbloom.agent.service.doctor;
