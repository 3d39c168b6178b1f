package dev.darkbloom.agent.service.calibration;

/**
 * What a calibration holds for: another model, library, machine or form of the context computes at other speeds.
 *
 * @param model a {@link ModelFingerprint}
 * @param library release and kind of build of llama.cpp
 * @param machine chip and cores
 * @param form what the context looks like, and which settings the owner has made
 */
record CalibrationKey(String model, String library, String machine, String form) {}
