import { storedToken } from '@/lib/session';

/** What a service answered instead of what was asked for (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
  ) {
    super(`${status} ${title}`);
    this.name = 'Problem';
  }
}

/** What a session does about tokens that a service refuses. */
export type TokenKeeper = {
  /** Whether there is another token to try with. Throws Problem when that cannot be known now. */
  renew: (refused: string) => Promise<boolean>;
  /** The newest token was refused. */
  refused: () => void;
};

let keeper: TokenKeeper | null = null;

/** From now on this session keeps the tokens; gives the way to stop. */
export function keepTokens(session: TokenKeeper): () => void {
  keeper = session;
  return () => {
    if (keeper === session) keeper = null;
  };
}

export type RequestOptions = {
  method?: 'GET' | 'POST';
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
};

/**
 * Sends a request with the session's token, with a new one if that is refused. Throws Problem for any answer that is
 * neither 2xx nor 304.
 */
export async function request(path: string, options: RequestOptions = {}): Promise<Response> {
  const token = storedToken();
  let answer = await sendAs(token, path, options);
  if (answer.status === 401 && token !== null && (await keeper?.renew(token))) {
    answer = await sendAs(storedToken(), path, options);
  }
  if (answer.ok || answer.status === 304) return answer;
  if (answer.status === 401) keeper?.refused();
  throw await problemOf(answer);
}

function sendAs(token: string | null, path: string, options: RequestOptions): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json', ...options.headers };
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  if (options.body !== undefined) headers['Content-Type'] = 'application/json';
  return send(sameOrigin(path), {
    method: options.method ?? 'GET',
    headers,
    body: options.body === undefined ? null : JSON.stringify(options.body),
    cache: 'no-store',
    credentials: 'omit',
    signal: options.signal ?? null,
  });
}

/** The JSON that a path answers with; its shape is the contract's. */
export async function requestJson<T>(path: string, options: RequestOptions = {}): Promise<T> {
  return (await (await request(path, options)).json()) as T;
}

/** A path of this origin, whatever URL a service gave: the token goes nowhere else. */
export function sameOrigin(url: string): string {
  const parsed = new URL(url, window.location.origin);
  return parsed.pathname + parsed.search;
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Problem(0, 'No answer', 'The suite cannot be reached. Check the network; this page will try again.');
  }
}

async function problemOf(answer: Response): Promise<Problem> {
  try {
    const body = (await answer.json()) as { title?: string; detail?: string };
    return new Problem(answer.status, body.title ?? answer.statusText, body.detail ?? 'The service gave no reason.');
  } catch {
    return new Problem(answer.status, answer.statusText || 'Error', 'The service gave no reason.');
  }
}
