/** Builds of a coordinator's catalogue: fetched one after the other. */
package dev.darkbloom.agent.service.builds;
