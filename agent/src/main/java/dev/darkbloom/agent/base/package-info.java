/**
 * Words that every room shares: error codes and the exception that carries them, ownership of threads and of things to close, secrets
 * that do not print.
 *
 * <p>Uses nothing but the JDK. Everything here is safe on any thread unless its own page says otherwise.
 */
package dev.darkbloom.agent.base;
