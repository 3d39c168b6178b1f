package dev.darkbloom.agent.api;

import java.util.function.BooleanSupplier;

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
        BodyIntake.Budget bodies) {

    static ServerParts of(
            ApiSettings settings,
            ApiServices services,
            AllowedHosts hosts,
            RequestThreads threads,
            InFlight inFlight,
            BooleanSupplier draining) {
        var origins = new AllowedOrigins(settings.allowedOrigins());
        return new ServerParts(
                settings.limits(),
                new RequestGate(hosts, origins, new ApiKey(settings.token()), draining),
                new Cors(origins),
                new ResponseHeads(draining),
                new Pages(services, new EngineMeters(services.models(), services.registry())),
                services.runner(),
                threads,
                new HttpMeters(services.registry(), inFlight),
                inFlight,
                new BodyIntake.Budget(settings.limits().bodiesBytes()));
    }
}
