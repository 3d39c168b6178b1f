package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.SseWriter;

/**
 * What every event and document of one answer begins with.
 *
 * @param id unique, with the API's prefix
 * @param createdSeconds Unix time
 * @param model the name that the client asked for
 * @param fingerprint which engine answered
 */
record ResponseHead(String id, long createdSeconds, String model, String fingerprint) {
    /** Writes the object's beginning up to the comma before its next member. */
    void write(SseWriter json, String object) {
        json.raw("{\"id\":").setting(id)
                .raw(",\"object\":\"").raw(object)
                .raw("\",\"created\":").number(createdSeconds)
                .raw(",\"model\":").setting(model)
                .raw(",\"system_fingerprint\":").setting(fingerprint)
                .raw(",");
    }
}
