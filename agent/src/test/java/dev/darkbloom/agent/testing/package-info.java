/**
 * Stand-ins that tests of several rooms share: a model without weights, a clock in the test's hand. They check what the real thing would
 * punish, and say so.
 */
package dev.darkbloom.agent.testing;
