using Azure.Core;
using Azure.Identity;

namespace R1Serverless.Azure.Storage;

/// <summary>Who this process is in Azure, where no connection string says it.</summary>
public static class AzureCredentials
{
    /// <summary>The first that is there of: the environment's AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, a workload identity, a
    /// managed identity, the sign-in of <c>az</c> or <c>azd</c>. AZURE_CLIENT_ID alone names a user-assigned managed identity. Nothing is asked for
    /// before the first call.</summary>
    public static TokenCredential Default() => new DefaultAzureCredential(new DefaultAzureCredentialOptions
    {
        // Of developers' desktops; a server without an identity would wait for them in vain.
        ExcludeVisualStudioCredential = true,
        ExcludeVisualStudioCodeCredential = true,
        ExcludeAzurePowerShellCredential = true,
        ExcludeInteractiveBrowserCredential = true,
        ExcludeBrokerCredential = true,
        // Of one attempt: at the library's 100 s, whoever gives tokens and does not answer would be waited for for minutes.
        Retry = { NetworkTimeout = TimeSpan.FromSeconds(10) },
    });
}
