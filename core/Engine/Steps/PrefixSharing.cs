using R1Serverless.Abstractions;

namespace R1Serverless.Engine.Steps;

/// <summary>Between whom the computed beginnings of prompts are shared. How soon an answer begins tells whoever shares with another that a prompt
/// began like his own.</summary>
public enum PrefixSharing
{
    /// <summary>Requests of one API key.</summary>
    Key,

    /// <summary>All requests.</summary>
    All,

    /// <summary>None.</summary>
    Off,
}

/// <summary>By whom a request may share.</summary>
public static class PrefixSalt
{
    /// <summary>Equal for those that share; null for nobody.</summary>
    public static string? Of(InferenceRequest request, PrefixSharing sharing) => sharing switch
    {
        PrefixSharing.Off => null,
        PrefixSharing.All => request.CacheSalt ?? "",
        _ => $"{request.Owner}\n{request.CacheSalt}",
    };
}
