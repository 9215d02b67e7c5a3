import type { SignInOptions } from '@/lib/contract';
import { requestJson } from '@/lib/http';

/** How people sign in here; asked before anybody has. */
export function getSignInOptions(signal: AbortSignal): Promise<SignInOptions> {
  return requestJson('/sign-in-options', { signal });
}
