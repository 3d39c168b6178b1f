// What upstream finds out about a template by rendering it many times, found once.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "chat-auto-parser.h"
#include "chat.h"

namespace dbs {

/**
 * Upstream's analysis of a template that it has no reader of its own for. It asks nothing of a request, and costs tens of milliseconds; what
 * depends on tools, schema, switches and variables is built from it for each request. Holds no content. Immutable; any thread.
 */
class TemplateAnalysis {
  public:
    /** NULL where upstream has a reader of its own for this template, or cannot analyse it. Throws only for want of memory. */
    static std::unique_ptr<const TemplateAnalysis> of(const std::string & source, const llama_vocab * vocab);

    /**
     * As common_chat_templates_apply, but for the prompt, which stays empty, and without looking at the messages. What the template writes before
     * the answer is found with a message of ours: `generation_prompt` is to be compared with the request's own, and the result is good
     * for nothing where they differ. A message that is continued is not empty. May throw.
     */
    common_chat_params apply(const common_chat_templates_inputs & in) const;

    /** What stands before an answer that continues `message`, where the template writes `generation_prompt` before any other. May throw. */
    std::string continued(const std::string & generation_prompt, const common_chat_msg & message) const;

  private:
    explicit TemplateAnalysis(const std::string & source, const llama_vocab * vocab);

    common_chat_template   template_;
    autoparser::autoparser found_;
    bool                   add_bos_;
    bool                   add_eos_;
};

} // namespace dbs
