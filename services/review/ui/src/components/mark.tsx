/** Three circles that share a centre: image, note and vitals in one opinion. */
export function Mark({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 22 22" aria-hidden="true" className="mark">
      <g fill="none" stroke="currentColor" strokeWidth="1.8">
        <circle cx="11" cy="7.8" r="5" />
        <circle cx="7.4" cy="13.8" r="5" />
        <circle cx="14.6" cy="13.8" r="5" />
      </g>
    </svg>
  );
}
