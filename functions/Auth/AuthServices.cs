using R1Serverless.Storage;

namespace R1Serverless.Auth;

internal static class AuthServices
{
    /// <summary>Who may call the API, and how often.</summary>
    /// <param name="keys">Those of the command line and environment, which stay.</param>
    /// <param name="source">Of keys that change while servers run; null for none.</param>
    /// <param name="issuer">Whose access tokens are taken; null for none.</param>
    /// <param name="report">Gets what operators should know.</param>
    public static IServiceCollection AddAuth(
        this IServiceCollection services, IReadOnlyList<string> keys, AccessRules rules, KeySource? source, EntraOptions? issuer,
        Func<IServiceProvider, IProgress<string>> report)
    {
        services.AddSingleton(new ActiveKeys(keys, source is not null)).AddSingleton(rules).AddSingleton<ApiAuthenticator>()
            .AddSingleton<RateLimits>();
        if (issuer is not null)
            services.AddSingleton(provider => new Lazy<EntraTokens>(() => ActivatorUtilities.CreateInstance<EntraTokens>(provider, issuer)));
        if (source is not null)
            services.AddHostedService(provider => ActivatorUtilities.CreateInstance<KeyRefresh>(provider, source, report(provider)));
        return services;
    }
}
