// What every program here shares: the agent under test, and clients of the official SDKs for it.
import test from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

/** The agent's address without `/v1`, its key, and the model that the programs ask. */
export const baseUrl = wanted('DARKBLOOM_BASE_URL');
export const apiKey = wanted('DARKBLOOM_API_KEY');
export const model = wanted('DARKBLOOM_MODEL');

/** The demo model is trained to call tools, to think and to answer some questions in exact words; other models are only asked for form. */
export const isDemo = model === 'demo';

/** A case that only a model with the demo model's training can pass. */
export function demoTest(name, body) {
  test(name, { skip: isDemo ? false : 'needs the demo model' }, body);
}

/** Returns a client that never tries twice, so that a case sees the answer it got. */
export function openai(options = {}) {
  return new OpenAI({ baseURL: `${baseUrl}/v1`, apiKey, maxRetries: 0, timeout: 120_000, ...options });
}

/** Returns a client that never tries twice. */
export function anthropic(options = {}) {
  return new Anthropic({ baseURL: baseUrl, apiKey, maxRetries: 0, timeout: 120_000, ...options });
}

function wanted(name) {
  const value = process.env[name];
  if (value === undefined) {
    throw new Error(`${name} is not set; these programs are run by SdkProgramsTest`);
  }
  return value;
}
