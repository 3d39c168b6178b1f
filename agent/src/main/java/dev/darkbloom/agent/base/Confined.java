package dev.darkbloom.agent.base;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** Says which thread a class belongs to. Arenas enforce it for native state, {@link ThreadOwner} for Java state. */
@Documented
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface Confined {
    /** The thread's name, with {@code <…>} for the part that varies: {@code engine-<model>}. */
    String value();
}
