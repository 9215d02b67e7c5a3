import { ErrorResponse, ErrorTimeout } from 'oidc-client-ts';

/** What the sign-in page says of the last session or attempt, with the way on. */
export type Notice = {
  problem: boolean;
  text: string;
  /** The hospital's server would bring back the same account: signing out there comes first. */
  otherAccount?: boolean;
};

/** Roles for which this page has something to show. */
export const PAGE_ROLES: readonly string[] = ['clinician', 'auditor'];

export const ENDED: Notice = {
  problem: false,
  text: 'Your session has ended. Sign in again to go on where you were.',
};
export const UNUSED: Notice = {
  problem: false,
  text: 'You were signed out of this tab because nobody had used it for a while. Sign in again to go on where you were.',
};
export const SIGNED_OUT: Notice = {
  problem: false,
  text: 'You are signed out, here and at your hospital’s server.',
};
export const SIGNED_OUT_HERE: Notice = {
  problem: true,
  text: 'You are signed out of this tab, but your hospital’s server has not confirmed that it signed you out too. On a shared computer, close the browser.',
};
export const NO_ROLE: Notice = {
  problem: true,
  text: 'Your account has no role for this page. It needs one role of Consilium and no second: clinician or auditor. Ask your IT department for it, or use another account.',
  otherAccount: true,
};
export const NOT_ACCEPTED: Notice = {
  problem: true,
  text: 'Consilium did not accept what your hospital’s server gave you. The clocks of the two servers may differ, or the server may not know Consilium well enough. Tell your IT department if signing in again does not help.',
};
export const INSECURE: Notice = {
  problem: true,
  text: 'This address is not encrypted, so that signing in here would not be safe. Open the page under its https address.',
};
export const UNREACHABLE: Notice = {
  problem: true,
  text: 'Your hospital’s sign-in server cannot be reached. Check the network, then try again.',
};
const NOT_LET_IN: Notice = {
  problem: true,
  text: 'The sign-in was cancelled, or your hospital’s server does not let you in. Try again, or ask your IT department.',
};
export const STRAY: Notice = {
  problem: true,
  text: 'This answer belongs to no sign-in of this tab, or it came too late. Sign in again.',
};

const UNUSABLE: Notice = {
  problem: true,
  text: 'Your hospital’s server gave an answer that this page cannot use. Try again; tell your IT department if that does not help.',
};

/** What the server says of itself does not fit this page; the message names what, for whoever mends that. */
export class Unfit extends Error {}

/** Whether the server may answer otherwise in a moment. */
export function mayPass(error: unknown): boolean {
  return !(error instanceof ErrorResponse) || ['server_error', 'temporarily_unavailable'].includes(error.error ?? '');
}

/** What went wrong on the way through the server, in words. */
export function noticeOf(error: unknown): Notice {
  if (error instanceof Unfit) return unfit(error.message);
  // `fetch` says no more of a network that fails.
  if (error instanceof TypeError || error instanceof ErrorTimeout) return UNREACHABLE;
  if (mayPass(error)) return UNUSABLE;
  const code = (error as ErrorResponse).error ?? '';
  if (code === 'access_denied') return NOT_LET_IN;
  if (code === 'invalid_grant') return STRAY;
  return unfit(/^[a-z_]{1,40}$/.test(code) ? code : 'an error of no standard');
}

function unfit(what: string): Notice {
  return {
    problem: true,
    text: `Your hospital’s server and this page do not fit together (${what}). Trying again will not help; tell your IT department.`,
  };
}
