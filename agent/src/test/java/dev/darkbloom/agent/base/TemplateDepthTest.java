package dev.darkbloom.agent.base;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TemplateDepthTest {
    @Test
    void textAndCommentsAndStringsDoNotNest() {
        assertThat(TemplateDepth.of("((((((")).isZero();
        assertThat(TemplateDepth.of("{# {{ (((((( }} #}")).isZero();
        assertThat(TemplateDepth.of("{{ '((((\\'((((' }}")).isZero();
    }

    @Test
    void blocksThatEndDoNotAddUp() {
        assertThat(TemplateDepth.of("{% if a %}x{% endif %}".repeat(1000))).isEqualTo(1);
        assertThat(TemplateDepth.of("{% set a = 1 %}".repeat(1000))).isLessThan(5);
    }

    @Test
    void listsAreAsDeepAsTheirDeepestElement() {
        assertThat(TemplateDepth.of("{{ [" + "a + 1, ".repeat(1000) + "b] }}")).isLessThan(5);
    }

    @ParameterizedTest
    @ValueSource(strings = {"(", "[", "{'a': ", "not ", "a + ", "a ~ ", "a and ", "a if b else ", "a.", "a|", "a == ", "f("})
    void everythingThatTheParserDescendsIntoCounts(String piece) {
        assertThat(TemplateDepth.of("{{ " + piece.repeat(5000) + "a }}")).isGreaterThanOrEqualTo(5000);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{% if a %}", "{%- for a in b -%}", "{% macro a() %}", "{% call a() %}", "{% filter a %}", "{% set a %}"})
    void openBlocksCount(String block) {
        assertThat(TemplateDepth.of(block.repeat(5000))).isGreaterThanOrEqualTo(5000);
    }

    @Test
    void eachElifIsABranchInsideTheOneBefore() {
        assertThat(TemplateDepth.of("{% if a %}" + "{% elif b %}".repeat(5000) + "{% endif %}")).isGreaterThanOrEqualTo(5000);
    }

    @Test
    void callsOfCallsCountLikeAChain() {
        assertThat(TemplateDepth.of("{{ a" + "()".repeat(5000) + " }}")).isGreaterThanOrEqualTo(5000);
    }

    @Test
    void aBraceInsideAnExpressionDoesNotEndIt() {
        assertThat(TemplateDepth.of("{{ {'a': {}}" + "(".repeat(5000) + " }}")).isGreaterThanOrEqualTo(5000);
    }

    @Test
    void hugeTemplatesAreMeasuredInNoTime() {
        long begin = System.nanoTime();

        TemplateDepth.of("{{ " + "(a+".repeat(1_000_000) + " }}");

        assertThat(System.nanoTime() - begin).isLessThan(5_000_000_000L);
    }
}
