namespace R1Serverless.Auth;

/// <summary>How the API is guarded.</summary>
/// <param name="AreKeysRequired">Whether there are keys, or issuers of tokens.</param>
/// <param name="IsOpenWithout">Whether everybody may do everything where there are none: only where nobody but this machine can call, not behind a
/// front end, which makes every caller look local.</param>
internal sealed record AccessRules(bool AreKeysRequired, bool IsOpenWithout);
