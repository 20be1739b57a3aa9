using System.Net;
using System.Text;
using R1Serverless.Api.Webhooks;
using R1Serverless.Commands;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Hosting;

/// <summary>Where webhooks may go, and how they are signed.</summary>
public sealed class WebhookTests
{
    private static readonly WebhookHosts Hosts = new(["hooks.example.com", "*.example.org", "localhost", "10.1.2.3", "[::1]"]);

    [Theory]
    [InlineData("https://hooks.example.com/x", true)]
    [InlineData("https://HOOKS.example.com:8443/x?y", true)]
    [InlineData("http://hooks.example.com/x", false)]
    [InlineData("https://other.example.com/", false)]
    [InlineData("https://a.b.example.org/", true)]
    [InlineData("https://example.org/", false)]
    [InlineData("https://badexample.org/", false)]
    [InlineData("http://localhost:8080/", true)]
    [InlineData("http://127.0.0.1/", false)]
    [InlineData("http://[::1]:80/", true)]
    [InlineData("http://10.1.2.3/", false)]
    [InlineData("https://10.1.2.3/", true)]
    [InlineData("https://0x0a010204/", false)]
    [InlineData("https://169.254.169.254/", false)]
    public void Hosts_are_allowed_by_name_and_https_is_asked_for(string url, bool isAllowed) =>
    Assert.Equal(isAllowed, Hosts.Refusal(new Uri(url)) is null);

    [Theory]
    [InlineData("hooks.example.com", "93.184.216.34", true)]
    [InlineData("hooks.example.com", "10.0.0.7", true)]
    [InlineData("hooks.example.com", "fd00::7", true)]
    [InlineData("hooks.example.com", "127.0.0.1", false)]
    [InlineData("hooks.example.com", "::1", false)]
    [InlineData("hooks.example.com", "::ffff:127.0.0.1", false)]
    [InlineData("hooks.example.com", "169.254.169.254", false)]
    [InlineData("hooks.example.com", "fe80::1", false)]
    [InlineData("hooks.example.com", "0.0.0.0", false)]
    [InlineData("hooks.example.com", "64:ff9b::a9fe:a9fe", false)]
    [InlineData("hooks.example.com", "2002:7f00:1::", false)]
    [InlineData("hooks.example.com", "2606:4700::1", true)]
    [InlineData("a.example.org", "93.184.216.34", true)]
    [InlineData("a.example.org", "192.168.1.1", false)]
    [InlineData("a.example.org", "172.16.0.1", false)]
    [InlineData("a.example.org", "100.64.0.1", false)]
    [InlineData("a.example.org", "172.32.0.1", true)]
    [InlineData("a.example.org", "fd00::1", false)]
    [InlineData("other.example.com", "93.184.216.34", false)]
    [InlineData("localhost", "127.0.0.1", true)]
    [InlineData("localhost", "::1", true)]
    [InlineData("localhost", "10.0.0.1", false)]
    [InlineData("10.1.2.3", "10.1.2.3", true)]
    [InlineData("10.1.2.3", "10.1.2.4", false)]
    [InlineData("::1", "::1", true)]
    public void Only_where_a_host_may_lead_is_connected_to(string host, string address, bool isAllowed) =>
    Assert.Equal(isAllowed, Hosts.MayConnect(host, IPAddress.Parse(address)));

    [Fact]
    public void Without_hosts_webhooks_are_off_and_the_refusal_says_so() =>
        Assert.Contains("--webhook-host", new WebhookHosts([]).Refusal(new Uri("https://hooks.example.com/")), StringComparison.Ordinal);

    // The secret and the message that Standard Webhooks' own documentation signs.
    [Theory]
    [InlineData("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    [InlineData("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    public void A_signature_is_as_the_standard_says(string secret) => Assert.Equal(
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        WebhookSecret.Parse(secret)!.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, Encoding.UTF8.GetBytes("""{"test": 2432232314}""")));

    [Theory]
    [InlineData("")]
    [InlineData("whsec_")]
    [InlineData("whsec_c2hvcnQ=")]
    [InlineData("not base64 at all, is it?")]
    public void What_is_no_secret_is_refused(string text) => Assert.Null(WebhookSecret.Parse(text));

    [Theory]
    [InlineData("https://example.com", "--webhook-host")]
    [InlineData("example.com:443", "--webhook-host")]
    [InlineData("example.com", WebhookSecret.Variable)]
    public void A_command_line_that_makes_no_sense_is_refused_in_words(string host, string says) =>
        Assert.Contains(says, RequestLimits.Refusal(new ServeOptions { WebhookHosts = [host] }), StringComparison.Ordinal);
}
