/**
 * From a request's JSON to prompt tokens, and from answer tokens to response chunks, all of it outside the heap.
 *
 * <p>{@link dev.darkbloom.agent.chat.Completions} is the front door: one call per request, in blocking style, on the request's own virtual
 * thread. Settings become Java values; whatever a person wrote or a model answered stays in {@code content}. May touch {@code engine},
 * {@code llama} (its interfaces), {@code content} and {@code base}; no Netty, no sockets, no files.
 *
 * <p>The way of a chat request: {@code RequestBody} finds its members and refuses by name what {@code Parameters} says we do not have;
 * {@code AnswerSettings} and {@code Sampling} read numbers and switches; {@code ChatRequest} checks messages, tools, stop strings, schema and
 * grammar, all before a model is touched. The model's template renders the prompt, {@code PromptTokens} holds it, and each answer becomes a
 * {@code Choice}: tokens → whole characters → stop strings → the format's parser. {@code Answer} carries the choices to an {@code
 * AnswerShape}, which alone knows an API's events and documents: a further API is a further shape, and where its requests look
 * different, a writer that says them as a chat request ({@code MessagesBody} for Anthropic's). Where the sink has a thread to write from,
 * the answer is carried there ({@code AnswerPump}) while the request's thread waits. Everything is made and freed by the request's thread,
 * after the engine has let go of the request's memory.
 */
package dev.darkbloom.agent.chat;
