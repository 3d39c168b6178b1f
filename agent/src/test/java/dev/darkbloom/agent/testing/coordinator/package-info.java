/** Coordinators for tests: a bare WebSocket peer, and a scripted coordinator that follows the protocol strictly. */
package dev.darkbloom.agent.testing.coordinator;
