namespace R1Serverless.Access;

/// <summary>How the API is guarded.</summary>
/// <param name="AreKeysRequired">False only where the API can't be reached from other machines.</param>
/// <param name="IsAdminOpen">Whether /admin answers where no key is asked for: not behind a front end, which makes everybody look local.</param>
internal sealed record AccessRules(bool AreKeysRequired, bool IsAdminOpen);
