package dev.darkbloom.agent.hardware;

import java.util.Optional;
import java.util.OptionalLong;

/** A system that says and does what a test wants. */
final class FakeNativeAccess implements NativeAccess {
    Optional<Boolean> isTraced = Optional.of(false);
    Optional<Boolean> deniesDebuggers = Optional.of(true);
    Optional<Boolean> writesCoreFiles = Optional.of(false);
    boolean refuses;

    @Override
    public Optional<Boolean> isTraced() {
        return isTraced;
    }

    @Override
    public Optional<Boolean> deniesDebuggers() {
        return deniesDebuggers;
    }

    @Override
    public String denial() {
        return "nobody comes in";
    }

    @Override
    public Optional<Boolean> writesCoreFiles() {
        return writesCoreFiles;
    }

    @Override
    public boolean denyDebuggers() {
        return !refuses;
    }

    @Override
    public boolean forbidCoreFiles() {
        return !refuses;
    }

    @Override
    public OptionalLong continuousNanos() {
        return OptionalLong.empty();
    }
}
