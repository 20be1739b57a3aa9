namespace R1Serverless.Access;

/// <summary>The names in a key file. Times are in ISO 8601, in UTC.</summary>
internal static class KeyFileFormat
{
    public const int Newest = 1;

    public const string VersionField = "version", KeysField = "keys", Name = "name", Id = "id", Sha256 = "sha256", Scopes = "scopes", Created = "created", Expires = "expires",
        Previous = "previous", Limits = "limits", MaxConcurrent = "max_concurrent", MaxQueued = "max_queued", RequestsPerMinute = "requests_per_minute",
        TokensPerMinute = "tokens_per_minute";
}

/// <summary>A key file that can't be used. The message names the field and repeats nothing of what stands in it.</summary>
internal sealed class InvalidKeysException : Exception
{
    public InvalidKeysException(string message)
        : base(message)
    {
    }

    public InvalidKeysException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public InvalidKeysException()
    {
    }
}
