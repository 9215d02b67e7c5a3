import { SignInPanel } from '@/features/session/components/sign-in-panel';
import type { Notice } from '@/features/session/lib/notices';

type Props = {
  /** Host of the hospital's server. */
  host: string;
  notice: Notice | null;
  signIn: () => void;
  signOut: () => void;
};

/** One button, and what became of the last session or attempt. */
export function HospitalSignIn({ host, notice, signIn, signOut }: Props) {
  return (
    <SignInPanel>
      {notice === null ? null : (
        <p className={`callout ${notice.problem ? 'callout-warn' : 'callout-info'}`} role={notice.problem ? 'alert' : 'status'}>
          {notice.text}
        </p>
      )}
      {notice?.otherAccount ? (
        <button type="button" className="button button-primary button-large" onClick={signOut} autoFocus>
          Sign out and use another account
        </button>
      ) : (
        <>
          <button type="button" className="button button-primary button-large" onClick={signIn} autoFocus>
            Sign in with your hospital account
          </button>
          <p className="muted small">
            You sign in at <strong>{host}</strong> and come back here. The session is kept in this tab only.
          </p>
        </>
      )}
    </SignInPanel>
  );
}
