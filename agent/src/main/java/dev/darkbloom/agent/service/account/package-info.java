/**
 * The account that this machine belongs to: linking by device code (RFC 8628), the token that proves it, and whether requests of its owner
 * come here.
 *
 * <p>Called by commands, on their thread, and by the connection to a coordinator, which reads the token before each registration.
 */
package dev.darkbloom.agent.service.account;
