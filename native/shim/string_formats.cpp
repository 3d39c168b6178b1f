#include "string_formats.h"

namespace dbs {

namespace {

// The days that the month has; the leap day is left out, since a grammar would have to know the year.
const std::string date =
    "[0-9]{4} \"-\" ((\"0\" [13578] | \"10\" | \"12\") \"-\" (\"0\" [1-9] | [12] [0-9] | \"3\" [01]) | (\"0\" [469] | \"11\") \"-\" "
    "(\"0\" [1-9] | [12] [0-9] | \"30\") | \"02-\" (\"0\" [1-9] | \"1\" [0-9] | \"2\" [0-8]))";
const std::string clock =
    "([01] [0-9] | \"2\" [0-3]) \":\" [0-5] [0-9] \":\" [0-5] [0-9] (\".\" [0-9]{1,6})?";
const std::string offset = "(\"Z\" | \"+\" (\"0\" [0-9] | \"1\" [0-3]) \":\" [0-5] [0-9] | \"-\" (\"0\" [0-9] | \"1\" [01]) \":\" [0-5] [0-9])";
const std::string hex   = "[0-9a-fA-F]";
const std::string label = "[a-z] [a-z0-9]{0,15} (\"-\" [a-z0-9]{1,15})?";
const std::string host  = label + " (\".\" " + label + "){0,3} \".\" [a-z]{2,6}";
const std::string octet = "(\"25\" [0-5] | \"2\" [0-4] [0-9] | \"1\" [0-9] [0-9] | [1-9] [0-9] | [0-9])";

} // namespace

std::optional<std::string> format_grammar(const std::string & format) {
    if (format == "date") {
        return date;
    }
    if (format == "time") {
        return clock + " \"Z\""; // validators differ on an offset that moves a time without a date into another day
    }
    if (format == "date-time") {
        return date + " \"T\" " + clock + " " + offset;
    }
    if (format == "duration") {
        return "\"P\" ([0-9]{1,4} \"W\" | [0-9]{1,4} \"D\" (\"T\" [0-9]{1,3} [HMS])? | \"T\" [0-9]{1,4} [HMS])";
    }
    if (format == "uuid") {
        return hex + "{8} \"-\" " + hex + "{4} \"-\" " + hex + "{4} \"-\" " + hex + "{4} \"-\" " + hex + "{12}";
    }
    if (format == "ipv4") {
        return octet + " \".\" " + octet + " \".\" " + octet + " \".\" " + octet;
    }
    if (format == "ipv6") {
        return "(" + hex + "{1,4} \":\"){7} " + hex + "{1,4}";
    }
    if (format == "hostname") {
        return host;
    }
    if (format == "email") {
        return "[a-zA-Z0-9]{1,20} ([._+-] [a-zA-Z0-9]{1,20}){0,2} \"@\" " + host;
    }
    if (format == "uri" || format == "uri-reference") {
        return "\"http\" \"s\"? \"://\" " + host + " (\"/\" [a-zA-Z0-9._~-]{0,40}){0,6}";
    }
    return std::nullopt;
}

} // namespace dbs
