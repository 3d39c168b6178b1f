// A node that speaks the provider protocol by itself, without a line of the agent's: what it says can deviate in any one thing.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import nacl from 'tweetnacl';
import WebSocket from 'ws';

const b64 = bytes => Buffer.from(bytes).toString('base64');
const bytes = text => new Uint8Array(Buffer.from(text, 'base64'));

/** The seven promises without which no text comes; sip_enabled and hypervisor_active go with them, but are not asked for. */
export const privacyFlags = ['text_backend_inprocess', 'text_proxy_disabled', 'python_runtime_locked', 'dangerous_modules_blocked',
  'anti_debug_enabled', 'core_dumps_disabled', 'env_scrubbed'];

/**
 * One connection of one node that serves `model`. What it says is an eligible node's, but for what these functions change before it is sent:
 *
 * - `register(message)`, `text(json)`: the registration, as an object and as it goes out;
 * - `blob(inner)`: the attestation before it is signed; `hasBlob: false` leaves it out;
 * - `answer(response)`, `signed(response)`: the answer to a challenge, before and after it is signed;
 * - `heartbeat(message)`: each report; `hasHeartbeats: false` leaves them out.
 */
export class Node {
  #keys = nacl.box.keyPair();
  #signing;
  #socket;
  #beat;
  #change;

  constructor(coordinator, model, identity, change = {}) {
    this.coordinator = coordinator;
    this.model = model;
    this.serial = identity.serial;
    this.#signing = identity.signing;
    this.#change = change;
    this.challenges = 0;
    this.requests = 0;
  }

  /** Returns what outlives a connection: a serial number and a signing key. */
  static identity() {
    return { serial: randomBytes(5).toString('hex').toUpperCase(), signing: generateKeyPairSync('ec', { namedCurve: 'P-256' }) };
  }

  /** Connects and registers; the first report goes out with it. */
  async connect() {
    this.#socket = new WebSocket(`${this.coordinator.url.replace(/^http/, 'ws')}/ws/provider`, { perMessageDeflate: false, maxPayload: 64 << 20 });
    this.#socket.on('message', data => this.#receive(JSON.parse(data)));
    await new Promise((resolve, reject) => {
      this.#socket.once('open', resolve);
      this.#socket.once('error', reject);
    });
    this.#socket.on('error', () => {}); // a close follows
    const text = JSON.stringify(this.#registration());
    this.#socket.send(this.#change.text ? this.#change.text(text) : text);
    if (this.#change.hasHeartbeats ?? true) {
      this.beat();
      this.#beat = setInterval(() => this.beat(), 1_000);
    }
  }

  isOpen() {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  async close() {
    clearInterval(this.#beat);
    if (this.#socket !== undefined && this.#socket.readyState !== WebSocket.CLOSED) {
      const closed = new Promise(resolve => this.#socket.once('close', resolve));
      this.#socket.close(1000);
      await closed;
    }
  }

  #send(message) {
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify(message));
    }
  }

  #sign(text) {
    return b64(sign('sha256', Buffer.from(text), this.#signing.privateKey));
  }

  #registration() {
    const message = {
      type: 'register',
      hardware: {
        machine_model: 'Mac16,6', chip_name: 'Apple M4 Max', chip_family: 'M4', chip_tier: 'Max', memory_gb: 512, memory_available_gb: 508,
        cpu_cores: { total: 16, performance: 12, efficiency: 4 }, gpu_cores: 40, memory_bandwidth_gbs: 546,
      },
      models: [{ id: this.model, size_bytes: 2_000_000, model_type: 'text', quantization: '8bit' }],
      backend: 'inprocess-mlx',
      version: '1.0.0',
      public_key: b64(this.#keys.publicKey),
      encrypted_response_chunks: true,
      privacy_capabilities: { ...Object.fromEntries(privacyFlags.map(flag => [flag, true])), sip_enabled: true, hypervisor_active: false },
    };
    if (this.#change.hasBlob ?? true) {
      const point = this.#signing.publicKey.export({ format: 'jwk' });
      const inner = {
        authenticatedRootEnabled: true, chipName: 'Apple M4 Max', encryptionPublicKey: message.public_key, hardwareModel: 'Mac16,6',
        osVersion: '26.0', publicKey: b64(Buffer.concat([Buffer.from(point.x, 'base64url'), Buffer.from(point.y, 'base64url')])),
        rdmaDisabled: true, secureBootEnabled: true, secureEnclaveAvailable: true, serialNumber: this.serial, sipEnabled: true,
        timestamp: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
      };
      this.#change.blob?.(inner);
      // The signature is over these very characters; JSON.stringify writes them the same once more inside the message.
      message.attestation = { attestation: inner, signature: this.#sign(JSON.stringify(inner)) };
    }
    this.#change.register?.(message);
    return message;
  }

  /** Reports. */
  beat() {
    const message = {
      type: 'heartbeat', status: 'idle', active_model: null, stats: { requests_served: this.requests, tokens_generated: this.requests },
      system_metrics: { memory_pressure: 0.1, cpu_usage: 0.1, thermal_state: 'nominal' },
    };
    this.#change.heartbeat?.(message);
    this.#send(message);
  }

  #receive(message) {
    switch (message.type) {
      case 'attestation_challenge':
        this.#answer(message);
        break;
      case 'inference_request':
        this.#serve(message);
        break;
      default: // a cancel comes after every answer, runtime_status where a hash is not accepted
    }
  }

  #answer({ nonce, timestamp }) {
    const response = {
      type: 'attestation_response', nonce, public_key: b64(this.#keys.publicKey), sip_enabled: true, secure_boot_enabled: true, rdma_disabled: true,
      hypervisor_active: false,
    };
    this.#change.answer?.(response);
    response.signature = this.#sign(nonce + timestamp);
    const { type: _type, public_key: _key, signature: _signature, ...signed } = { ...response, timestamp };
    response.status_signature = this.#sign(JSON.stringify(Object.fromEntries(Object.entries(signed).sort(([a], [b]) => (a < b ? -1 : 1)))));
    this.#change.signed?.(response);
    this.#send(response);
    this.challenges++;
  }

  /** Answers that it heard; the body is opened for that, so a wrong key would show. */
  #serve({ request_id, encrypted_body }) {
    this.requests++;
    const peer = bytes(encrypted_body.ephemeral_public_key);
    const sealed = bytes(encrypted_body.ciphertext);
    const opened = nacl.box.open(sealed.subarray(24), sealed.subarray(0, 24), peer, this.#keys.secretKey);
    const body = JSON.parse(Buffer.from(opened).toString());
    this.#send({ type: 'inference_accepted', request_id });
    const text = `data: ${JSON.stringify({
      id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: body.model,
      choices: [{ index: 0, message: { role: 'assistant', content: `heard: ${body.messages.at(-1).content}` }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    })}`;
    const nonce = nacl.randomBytes(24);
    const box = nacl.box(Buffer.from(text), nonce, peer, this.#keys.secretKey);
    this.#send({ type: 'inference_response_chunk', request_id,
      encrypted_data: { ephemeral_public_key: b64(this.#keys.publicKey), ciphertext: b64(Buffer.concat([nonce, box])) } });
    this.#send({ type: 'inference_complete', request_id, usage: { prompt_tokens: 1, completion_tokens: 1 } });
  }
}
