package dev.darkbloom.agent.hardware;

import java.time.InstantSource;

/** The main class of a process that hardens itself: it prints what it finds of itself before and after, a line for each finding. */
final class HardenedChild {
    private HardenedChild() {}

    public static void main(String[] args) {
        var probe = PostureProbe.ofThisSystem(InstantSource.system());
        print("before", probe.posture());
        System.out.println("refused " + ProcessHardening.apply());
        print("after", probe.posture());
    }

    private static void print(String when, Posture posture) {
        System.out.println(when + " debuggerAttached " + posture.debuggerAttached().value());
        System.out.println(when + " antiDebug " + posture.antiDebug().value());
        System.out.println(when + " coreDumpsDisabled " + posture.coreDumpsDisabled().value());
        System.out.println(when + " environmentScrubbed " + posture.environmentScrubbed().value());
        System.out.println(when + " binaryHash " + posture.binaryHash().value().map(String::length));
    }
}
