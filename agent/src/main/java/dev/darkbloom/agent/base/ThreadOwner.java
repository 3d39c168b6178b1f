package dev.darkbloom.agent.base;

/** Remembers the thread that made it and refuses every other one. */
public final class ThreadOwner {
    private final Thread owner = Thread.currentThread();

    /** Throws {@link WrongThreadException} unless the calling thread is the owner. */
    public void check() {
        if (Thread.currentThread() != owner) {
            throw new WrongThreadException("belongs to " + owner.getName() + ", called from " + Thread.currentThread().getName());
        }
    }
}
