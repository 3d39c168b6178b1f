/** Builds of a coordinator's catalogue on this machine's disk: their manifests, their files, and how these are fetched. */
package dev.darkbloom.agent.models.builds;
