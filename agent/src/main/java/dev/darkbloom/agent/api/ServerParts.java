package dev.darkbloom.agent.api;

/**
 * What all connections of one server share.
 *
 * @param gate decides what becomes of a request
 * @param cors which page may read an answer
 * @param heads builds status lines and headers
 * @param pages answers what needs no model
 * @param runner answers what does
 * @param threads where both run
 * @param meters counts
 * @param inFlight requests whose last byte has not been written
 * @param bodies what request bodies may hold together
 */
record ServerParts(
        ApiLimits limits,
        RequestGate gate,
        Cors cors,
        ResponseHeads heads,
        Pages pages,
        RequestRunner runner,
        RequestThreads threads,
        HttpMeters meters,
        InFlight inFlight,
        BodyIntake.Budget bodies) {}
