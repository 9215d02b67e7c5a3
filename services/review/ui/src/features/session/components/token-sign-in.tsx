import { type FormEvent, useState } from 'react';

import { SignInPanel } from '@/features/session/components/sign-in-panel';
import { readUser } from '@/lib/session';

type Props = {
  /** Why the last session ended. */
  notice: string | null;
  signIn: (token: string) => void;
};

/** Takes a bearer token. The services check it; here only its form is looked at. */
export function TokenSignIn({ notice, signIn }: Props) {
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<string | null>(null);

  function submit(event: FormEvent) {
    event.preventDefault();
    const clean = token.trim().replace(/^Bearer\s+/i, '');
    const user = readUser(clean);
    if (user === null) setProblem('This is not a token. Paste all of it: three parts with dots between them.');
    else if (user.expiresAt !== null && user.expiresAt < new Date()) setProblem('This token has expired. Get a new one.');
    else signIn(clean);
  }

  return (
    <SignInPanel>
      {notice === null ? null : (
        <p className="callout callout-info" role="status">
          {notice}
        </p>
      )}
      <form className="sign-in-form" onSubmit={submit}>
        <label htmlFor="token">Access token</label>
        <textarea
          id="token"
          rows={4}
          value={token}
          onChange={(event) => setToken(event.target.value)}
          spellCheck={false}
          autoComplete="off"
          autoFocus
          aria-invalid={problem !== null}
          aria-describedby="token-help"
        />
        <p id="token-help" className={problem === null ? 'muted small' : 'field-error small'} role={problem === null ? undefined : 'alert'}>
          {problem ?? (
            <>
              <code>consilium up</code> prints one for each role; <code>consilium token --role clinician</code> makes another.
              It is kept in this tab only.
            </>
          )}
        </p>
        <button type="submit" className="button button-primary" disabled={token.trim() === ''}>
          Sign in
        </button>
      </form>
    </SignInPanel>
  );
}
