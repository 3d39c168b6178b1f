package dev.darkbloom.agent.base;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TemplateNestingTest {
    @Test
    void aCommonTemplateIsFarBelowTheBound() {
        String template = """
                {%- for message in messages %}{% if message.role == 'system' %}{{ '<|im_start|>system\\n' + message.content }}\
                {% elif message.role == 'user' %}{{ message.content | trim }}{% else %}{{ message['content'] }}{% endif %}{%- endfor %}""";

        assertThat(TemplateDepth.of(template)).isLessThan(20);
    }

    @Test
    void statementsThatFollowEachOtherDoNotNest() {
        assertThat(TemplateDepth.of("{% if a %}{{ b }}{% endif %}".repeat(5_000))).isEqualTo(1);
    }

    @Test
    void bracketsInLiteralsCommentsAndPlainTextDoNotCount() {
        assertThat(TemplateDepth.of("((((((" + "{# (((((( #}" + "{{ '((((((' }}" + "{{ \"[[[[\" }}")).isZero();
    }

    /** Each of these makes upstream's parser, interpreter or destructor call itself once per repetition. */
    @ParameterizedTest
    @ValueSource(strings = {"(", "[", "{'a':", "not ", "-", "a + ", "a.", "a if b else ", "a|trim", "a and ", "f(", "a == "})
    void everyWayToNestInsideOneTagIsSeen(String step) {
        assertThat(TemplateDepth.of("{{ " + step.repeat(20_000) + "1 }}")).isGreaterThan(TemplateDepth.MAX);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{% if a %}", "{% for a in b %}", "{%- macro m() -%}", "{% set a %}", "{% if a %}x{% elif b %}", "{% filter trim %}"})
    void everyWayToNestStatementsIsSeen(String step) {
        assertThat(TemplateDepth.of(step.repeat(20_000))).isGreaterThan(TemplateDepth.MAX);
    }

    @Test
    void anElifChainNestsLikeTheIfsThatItStandsFor() {
        assertThat(TemplateDepth.of("{% if a %}" + "{% elif b %}".repeat(20_000))).isGreaterThan(TemplateDepth.MAX);
    }

    @Test
    void oneLineAssignmentsDoNotNest() {
        assertThat(TemplateDepth.of("{% set a = 1 %}".repeat(5_000))).isLessThan(5);
    }

    @Test
    void unfinishedTagsAndLiteralsEndTheScan() {
        assertThat(TemplateDepth.of("{{ 'abc")).isZero();
        assertThat(TemplateDepth.of("{% if a")).isEqualTo(1);
        assertThat(TemplateDepth.of("{#")).isZero();
        assertThat(TemplateDepth.of("{")).isZero();
    }
}
